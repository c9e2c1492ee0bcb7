/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* lstLib.h: doubly linked lists. */
#ifndef APP_SHIM_VX_LST_LIB_H
#define APP_SHIM_VX_LST_LIB_H

#include "app_shim_vx.h"

typedef struct node {
	struct node *next;
	struct node *previous;
} NODE;

typedef struct {
	NODE node; /* the first and the last one */
	int count;
} LIST;

#define HEAD node.next
#define TAIL node.previous

#ifdef __cplusplus
extern "C" {
#endif

APP_SHIM_VX_FUNCTION void lstInit(LIST *pList)
{
	pList->HEAD = NULL;
	pList->TAIL = NULL;
	pList->count = 0;
}

APP_SHIM_VX_FUNCTION void lstLibInit(void)
{
}

/* After pPrev; NULL: in front of all. */
APP_SHIM_VX_FUNCTION void lstInsert(LIST *pList, NODE *pPrev, NODE *pNode)
{
	NODE *next = pPrev != NULL ? pPrev->next : pList->HEAD;

	pNode->previous = pPrev;
	pNode->next = next;
	if (pPrev != NULL)
		pPrev->next = pNode;
	else
		pList->HEAD = pNode;
	if (next != NULL)
		next->previous = pNode;
	else
		pList->TAIL = pNode;
	pList->count++;
}

APP_SHIM_VX_FUNCTION void lstAdd(LIST *pList, NODE *pNode)
{
	lstInsert(pList, pList->TAIL, pNode);
}

APP_SHIM_VX_FUNCTION void lstDelete(LIST *pList, NODE *pNode)
{
	if (pNode->previous != NULL)
		pNode->previous->next = pNode->next;
	else
		pList->HEAD = pNode->next;
	if (pNode->next != NULL)
		pNode->next->previous = pNode->previous;
	else
		pList->TAIL = pNode->previous;
	pList->count--;
}

APP_SHIM_VX_FUNCTION int lstCount(LIST *pList)
{
	return pList->count;
}

APP_SHIM_VX_FUNCTION NODE *lstFirst(LIST *pList)
{
	return pList->HEAD;
}

APP_SHIM_VX_FUNCTION NODE *lstLast(LIST *pList)
{
	return pList->TAIL;
}

APP_SHIM_VX_FUNCTION NODE *lstNext(NODE *pNode)
{
	return pNode->next;
}

APP_SHIM_VX_FUNCTION NODE *lstPrevious(NODE *pNode)
{
	return pNode->previous;
}

/* Takes the first one out. */
APP_SHIM_VX_FUNCTION NODE *lstGet(LIST *pList)
{
	NODE *node = pList->HEAD;

	if (node != NULL)
		lstDelete(pList, node);
	return node;
}

/* Counted from 1. */
APP_SHIM_VX_FUNCTION NODE *lstNth(LIST *pList, int nodenum)
{
	NODE *node = nodenum < 1 ? NULL : pList->HEAD;

	for (; node != NULL && nodenum > 1; nodenum--)
		node = node->next;
	return node;
}

APP_SHIM_VX_FUNCTION NODE *lstNStep(NODE *pNode, int nStep)
{
	for (; pNode != NULL && nStep > 0; nStep--)
		pNode = pNode->next;
	for (; pNode != NULL && nStep < 0; nStep++)
		pNode = pNode->previous;
	return pNode;
}

/* Its number, counted from 1; ERROR: it is not in the list. */
APP_SHIM_VX_FUNCTION int lstFind(LIST *pList, NODE *pNode)
{
	NODE *node = pList->HEAD;
	int number = 1;

	for (; node != NULL && node != pNode; node = node->next)
		number++;
	return node != NULL ? number : ERROR;
}

/* Appends a list, which is empty then. */
APP_SHIM_VX_FUNCTION void lstConcat(LIST *pDstList, LIST *pAddList)
{
	if (pAddList->count == 0)
		return;
	if (pDstList->TAIL != NULL)
		pDstList->TAIL->next = pAddList->HEAD;
	else
		pDstList->HEAD = pAddList->HEAD;
	pAddList->HEAD->previous = pDstList->TAIL;
	pDstList->TAIL = pAddList->TAIL;
	pDstList->count += pAddList->count;
	lstInit(pAddList);
}

/* Makes a list of the nodes from pStartNode to pEndNode, taking them out. */
APP_SHIM_VX_FUNCTION void lstExtract(LIST *pSrcList, NODE *pStartNode,
				     NODE *pEndNode, LIST *pDstList)
{
	NODE *node;
	int count = 1;

	if (pStartNode->previous != NULL)
		pStartNode->previous->next = pEndNode->next;
	else
		pSrcList->HEAD = pEndNode->next;
	if (pEndNode->next != NULL)
		pEndNode->next->previous = pStartNode->previous;
	else
		pSrcList->TAIL = pStartNode->previous;
	for (node = pStartNode; node != pEndNode; node = node->next)
		count++;
	pDstList->HEAD = pStartNode;
	pDstList->TAIL = pEndNode;
	pDstList->count = count;
	pStartNode->previous = NULL;
	pEndNode->next = NULL;
	pSrcList->count -= count;
}

/* Frees all of its nodes. */
APP_SHIM_VX_FUNCTION void lstFree(LIST *pList)
{
	NODE *node = pList->HEAD;
	NODE *next;

	for (; node != NULL; node = next) {
		next = node->next;
		free(node);
	}
	lstInit(pList);
}

#ifdef __cplusplus
}
#endif

#endif /* APP_SHIM_VX_LST_LIB_H */
